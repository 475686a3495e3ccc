"""Issuers of the simulated cards. Names are invented; approval rates are plausible, not measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Issuer:
    """A bank that issues cards of one brand and approves this many of a hundred first attempts."""

    name: str
    country: str
    brand: str
    approves_percent: int
    weight: int


ISSUERS: tuple[Issuer, ...] = (
    Issuer("Harbour National", "US", "visa", 82, 24),
    Issuer("Prairie Savings", "US", "mastercard", 78, 16),
    Issuer("Meridian Express", "US", "amex", 86, 8),
    Issuer("Great Lakes Credit Union", "US", "discover", 75, 4),
    Issuer("Thames & Severn", "GB", "visa", 85, 10),
    Issuer("Albion Mutual", "GB", "mastercard", 83, 6),
    Issuer("Rheinische Girobank", "DE", "mastercard", 84, 9),
    Issuer("Credit du Midi", "FR", "visa", 80, 8),
    Issuer("Norrsken Bank", "SE", "mastercard", 87, 4),
    Issuer("Alpenkasse", "CH", "visa", 88, 3),
    Issuer("Maple Trust", "CA", "visa", 81, 5),
    Issuer("Southern Cross Bank", "AU", "mastercard", 82, 5),
    Issuer("Asagao Card", "JP", "jcb", 88, 5),
    Issuer("Hinode Bank", "JP", "visa", 86, 3),
    Issuer("Dhow Bank", "KW", "visa", 76, 4),
    Issuer("Hangang Card", "KR", "mastercard", 86, 2),
    Issuer("Fjordbanken", "NO", "visa", 87, 2),
    Issuer("Oresund Bank", "DK", "visa", 86, 2),
    Issuer("Bank Wislany", "PL", "mastercard", 80, 2),
    Issuer("Aotearoa Savings", "NZ", "visa", 82, 2),
    Issuer("Straits Bank", "SG", "visa", 88, 2),
    Issuer("Lantau Bank", "HK", "mastercard", 84, 2),
    Issuer("Deccan Bank", "IN", "visa", 68, 2),
    Issuer("Banco do Planalto", "BR", "mastercard", 70, 2),
    Issuer("Banco del Bajio Azul", "MX", "visa", 69, 2),
    Issuer("Pearl Gulf Bank", "AE", "mastercard", 79, 2),
)

FUNDINGS: tuple[tuple[str, int], ...] = (("credit", 58), ("debit", 36), ("prepaid", 6))

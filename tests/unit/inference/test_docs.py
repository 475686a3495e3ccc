from tests.unit.inference.doc_tables import DOCUMENT, document_with, rendered


def test_the_document_shows_the_tables_that_answer() -> None:
    """Where this fails: python -m tests.unit.inference.doc_tables."""
    assert DOCUMENT.read_text() == document_with(rendered())

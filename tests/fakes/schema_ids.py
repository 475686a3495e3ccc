"""A schema registry in memory: every subject has one schema, and no other id belongs to it."""

import zlib


class FixedSchemaIds:
    """SchemaIds without a registry; ids depend on the subjects alone, so several processes agree on them."""

    def latest(self, subject: str) -> int:
        """A number made of the subject's name."""
        return zlib.crc32(subject.encode()) >> 1  # schema ids are signed in the registry

    def belongs(self, schema_id: int, subject: str) -> bool:
        """Whether it is the subject's one id."""
        return schema_id == self.latest(subject)

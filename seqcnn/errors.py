"""The errors that a user can cause, and the one form in which they are told.

    SeqcnnError
    +-- InputError            a file given by the user
    |   +-- FastaError
    |   +-- BedError
    |   +-- VcfError
    |   +-- TableError
    |   +-- MotifFileError
    +-- ModelFileError        a model file that cannot be used
    +-- ConfigError           options that do not fit together, or this machine

Every message reads ``where: what was found; what was expected; what to do``.
"""

__all__ = [
    "BedError",
    "ConfigError",
    "FastaError",
    "InputError",
    "ModelFileError",
    "MotifFileError",
    "SeqcnnError",
    "TableError",
    "VcfError",
]


class SeqcnnError(Exception):
    """Tell a user what is wrong with what they gave, in one message.

    Parameters
    ----------
    where
        The place: ``file``, ``file:line``, a locus, or an option.
    found
        What stands there.
    expected
        What should stand there, without the word "expected".
    remedy
        What the user can do about it.
    """

    def __init__(self, where: object, found: str, *, expected: str = "", remedy: str = "") -> None:
        self.where = str(where)
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(where, found, expected, remedy)

    def told_as(self, kind: "type[SeqcnnError]") -> "SeqcnnError":
        """Give an error of another kind that says the same."""
        return kind(self.where, self.found, expected=self.expected, remedy=self.remedy)

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.found}"]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.remedy:
            parts.append(self.remedy)
        return "; ".join(parts)


class InputError(SeqcnnError):
    """A file of the user's that cannot be read as what it should be."""


class FastaError(InputError):
    """A FASTA file that is not nucleotides, not whole, or not unambiguous."""


class BedError(InputError):
    """A BED or narrowPeak file with a line that is no interval of the genome."""


class VcfError(InputError):
    """A VCF or BCF file that cannot be read to its end."""


class TableError(InputError):
    """A table or .seq file that lacks a column or holds a value that does not parse."""


class MotifFileError(InputError):
    """A motif file that is not whole."""


class ModelFileError(SeqcnnError):
    """A file that is not a seqcnn model, or one of a version that this seqcnn cannot read."""


class ConfigError(SeqcnnError):
    """Options that contradict each other, or ask for what this machine has not."""

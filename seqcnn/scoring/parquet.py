"""The table of a run as Parquet."""

from pathlib import Path
from typing import BinaryIO

from seqcnn.errors import ConfigError

__all__ = ["check_parquet", "table_to_parquet"]

_ROWS = 100_000
_TEXT = ("contig", "id", "ref", "alt", "task", "reason")


def check_parquet() -> None:
    """Refuse to write Parquet where pyarrow is not installed.

    Raises
    ------
    ConfigError
        When it is not.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as problem:
        raise ConfigError(
            "--parquet", "pyarrow is not installed", remedy="pip install 'seqcnn[parquet]'"
        ) from problem


def table_to_parquet(table: Path, target: BinaryIO) -> None:
    """Turn the table's text into Parquet, some rows at a time.

    ``position`` is an integer, scores are doubles, all else is text; ``.`` is null, but for an
    ID or an ALT, which stand as in the VCF. Bytes that are no UTF-8 become U+FFFD.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    with table.open(encoding="utf-8", errors="replace") as lines:
        columns = lines.readline().rstrip("\n").split("\t")
    kinds = {"position": pa.int64(), **dict.fromkeys(_TEXT, pa.string())}
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in columns])
    chunks = pd.read_csv(
        table,
        sep="\t",
        chunksize=_ROWS,
        quoting=3,
        keep_default_na=False,
        na_values={name: ["."] for name in columns if name not in {"id", "alt"}},
        dtype=dict.fromkeys(_TEXT, str) | {"position": "int64"},
        encoding_errors="replace",
    )
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for chunk in chunks:
            writer.write_table(pa.Table.from_pandas(chunk, schema, preserve_index=False))

# The sheets and the configuration, checked, and what the rules ask of them.

import csv
import re
import shlex
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

SOURCES = ("peaks", "positives", "seq", "table")
SOURCE_COLUMNS = ("peaks", "fasta", "positives", "negatives", "seq", "table", "targets")
SPLIT_COLUMNS = ("background", "exclude", "test", "validation")
TRAIN_COLUMNS = (*SOURCE_COLUMNS, *SPLIT_COLUMNS, "length", "arch", "members", "steps")
EVALUATE_COLUMNS = (*SOURCE_COLUMNS, "background")
# In these columns a word, a fraction or a contig may stand instead of a file.
MAYBE_FILES = {"background", "test", "validation"}
ALWAYS_FILES = {"peaks", "fasta", "positives", "negatives", "seq", "table", "exclude"}
FILE_SUFFIX = re.compile(
    r"\.(bed|narrowPeak|fa|fasta|fna|seq|tsv|csv|parquet)(\.gz)?$", re.IGNORECASE
)


def check(data, schema, where):
    """Fill in the defaults of the schema; refuse what it does not describe, in one line."""
    try:
        validate(data, schema)
    except WorkflowError as error:
        problem = error.__context__
        if not hasattr(problem, "absolute_path"):
            raise
        steps = list(problem.absolute_path)
        field = "".join(f"{step}: " for step in steps if isinstance(step, str) and step != "rows")
        raise WorkflowError(
            f"{where(steps)}: {field}{problem.message}; "
            f"{Path(schema).name} describes every field"
        ) from None


def read_sheet(path, schema, key):
    """Read a tab-separated sheet as one dict a row; an empty cell is an absent field."""
    if not path:
        return []
    try:
        with open(path, newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(
                lines, delimiter="\t", quoting=csv.QUOTE_NONE, restkey="a cell without a column"
            )
            numbered = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeError) as error:
        raise WorkflowError(f"{path}: cannot be read ({error})") from None
    if not numbered:
        raise WorkflowError(f"{path}: no row under the header; an empty field leaves a sheet out")
    rows = [{name: cell for name, cell in row.items() if cell} for _, row in numbered]
    places = [f"{path}, line {number}" for number, _ in numbered]
    # Snakemake validates mappings only; a list would pass unread.
    check({"rows": rows}, schema, lambda steps: places[steps[1]])
    seen = set()
    for row, place in zip(rows, places):
        name = tuple(row[column] for column in key)
        if name in seen:
            raise WorkflowError(f"{place}: {' '.join(name)} is there a second time")
        seen.add(name)
        row["line"] = place
    return rows


def check_source(row):
    """Refuse a row that does not name exactly one source of sequences."""
    named = [column for column in SOURCES if column in row]
    if len(named) != 1:
        raise WorkflowError(
            f"{row['line']}: {' and '.join(named) or 'no source'}; "
            f"expected exactly one of {', '.join(SOURCES)}"
        )
    quoted(row.get("options", ""))  # an open quotation mark is told before anything runs
    if named == ["peaks"] and "fasta" not in row:
        raise WorkflowError(f"{row['line']}: peaks without fasta; name the genome of the peaks")


def check_samples(row, names):
    """Refuse a row that asks for a model that no sample gives."""
    for name in names:
        if name not in SAMPLES:
            raise WorkflowError(
                f"{row['line']}: no sample {name!r}; "
                f"{config['samples']} has {', '.join(SAMPLES) or 'none'}"
            )


def with_configured(row, settings):
    """Complete a row with what is configured for all rows; where both speak, the row wins."""
    configured = {name: str(value) for name, value in settings.items() if value is not None}
    options = [settings["options"], row.get("options", "")]
    return {**configured, **row, "options": " ".join(options)}


def wanted_samples(row):
    """Give the samples whose models score this VCF: those listed, or all."""
    listed = row.get("samples")
    return listed.split(",") if listed else list(SAMPLES)


def is_file(column, cell):
    return column in ALWAYS_FILES or (column in MAYBE_FILES and bool(FILE_SUFFIX.search(cell)))


def files_of(row, columns):
    """Give the files that a row names, as a list for each column."""
    return {
        column: [path for _, path in tasks_of(row)] if column == "peaks" else [row[column]]
        for column in columns
        if column in row and is_file(column, row[column])
    }


def tasks_of(row):
    """Split ``NAME=FILE,FILE`` into (``NAME=`` or nothing, FILE)."""
    parts = [part.rpartition("=") for part in row["peaks"].split(",")]
    return [(f"{name}{equals}", path) for name, equals, path in parts]


def options_of(row, columns, files):
    """Spell a row as options, with the paths that Snakemake gives for its files."""
    words = []
    for column in columns:
        if column == "peaks" and column in row:
            labels = [label for label, _ in tasks_of(row)]
            for label, path in zip(labels, files["peaks"]):
                words += ["--peaks", f"{label}{path}"]
        elif column in row:
            words += [f"--{column}", *(files.get(column) or [row[column]])]
    return f"{shlex.join(words)} {quoted(row.get('options', ''))}"


def quoted(options):
    """Quote further options, so that the shell reads them as words and nothing else."""
    try:
        return shlex.join(shlex.split(options))
    except ValueError as error:
        raise WorkflowError(f"options {options!r}: {error}") from None


def train_inputs(wildcards):
    return files_of(SAMPLES[wildcards.sample], TRAIN_COLUMNS)


def train_options(wildcards, input):
    return options_of(SAMPLES[wildcards.sample], TRAIN_COLUMNS, input)


def evaluate_inputs(wildcards):
    return files_of(EVALUATIONS[wildcards.sample, wildcards.evaluation], EVALUATE_COLUMNS)


def evaluate_options(wildcards, input):
    return options_of(EVALUATIONS[wildcards.sample, wildcards.evaluation], EVALUATE_COLUMNS, input)


def variants_inputs(wildcards):
    row = VARIANTS[wildcards.variants]
    return {"vcf": row["vcf"], "fasta": row["fasta"]}


def folder_of(file):
    return str(Path(file).parent)


def everything():
    """List all that a run gives: a report and logos a model, scores a model and VCF."""
    models = [
        f"{RESULTS}/models/{sample}/{file}"
        for sample in SAMPLES
        for file in ("report.html", "metrics.json")
    ]
    logos = [f"{RESULTS}/logos/{sample}/index.html" for sample in SAMPLES]
    evaluations = [f"{RESULTS}/evaluations/{s}/{name}/metrics.json" for s, name in EVALUATIONS]
    scores = [
        f"{RESULTS}/variants/{sample}/{name}.{suffix}"
        for name, row in VARIANTS.items()
        for sample in wanted_samples(row)
        for suffix in ("vcf.gz", "tsv.gz")
    ]
    return [*models, *logos, *evaluations, *scores]


check(config, "../schemas/config.schema.yaml", lambda steps: "configuration")

RESULTS = config["results"].rstrip("/")
# --force, for Snakemake makes the output folders before a command runs.
COMMON = f"--seed {config['seed']} --device {config['device']} --force"
SAMPLES = {
    row["sample"]: with_configured(row, config["train"])
    for row in read_sheet(config["samples"], "../schemas/samples.schema.yaml", ["sample"])
}
EVALUATIONS = {
    (row["sample"], row["name"]): row
    for row in read_sheet(
        config["evaluations"], "../schemas/evaluations.schema.yaml", ["sample", "name"]
    )
}
VARIANTS = {
    row["name"]: row
    for row in read_sheet(config["variants"], "../schemas/variants.schema.yaml", ["name"])
}

for row in (*SAMPLES.values(), *EVALUATIONS.values()):
    check_source(row)
for row in EVALUATIONS.values():
    check_samples(row, [row["sample"]])
for row in VARIANTS.values():
    check_samples(row, wanted_samples(row))


wildcard_constraints:
    sample="[A-Za-z0-9._-]+",
    evaluation="[A-Za-z0-9._-]+",
    variants="[A-Za-z0-9._-]+",

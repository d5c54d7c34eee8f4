# The sheets and the configuration, checked, and what the rules ask of them.

import csv
import os
import re
import shlex
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

SOURCES = ("peaks", "positives", "seq", "table", "model")
SOURCE_COLUMNS = ("peaks", "fasta", "positives", "negatives", "seq", "table", "targets")
SPLIT_COLUMNS = ("background", "exclude", "test", "validation")
TRAIN_COLUMNS = (*SOURCE_COLUMNS, *SPLIT_COLUMNS, "length", "arch", "members", "steps")
EVALUATE_COLUMNS = (*SOURCE_COLUMNS, "background")
VARIANTS_COLUMNS = ("vcf", "fasta")
# In these columns a word, a fraction or a contig may stand instead of a file.
MAYBE_FILES = {"background", "test", "validation"}
ALWAYS_FILES = {"peaks", "fasta", "positives", "negatives", "seq", "table", "exclude", "model"}
ALWAYS_FILES |= {"vcf"}
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


def grown(rule, resource):
    """Give what a job asks for: more with each attempt."""
    asked = config["resources"][rule][resource]
    return lambda wildcards, attempt: asked * attempt


def with_folds(row):
    """Give one row for each test set of a cross-validation, or the row itself."""
    if "folds" not in row:
        return [row]
    if "test" in row or "model" in row:
        other = "test" if "test" in row else "model"
        raise WorkflowError(f"{row['line']}: folds and {other}; expected one of them")
    shared = {name: cell for name, cell in row.items() if name != "folds"}
    tests = [test.strip() for test in row["folds"].split(";")]
    return [
        {**shared, "sample": f"{row['sample']}.{number}", "test": test}
        for number, test in enumerate(tests, start=1)
    ]


def by_sample(rows):
    """Give the rows by sample; a fold must not have the name of another sample."""
    samples = {}
    for row in rows:
        if row["sample"] in samples:
            raise WorkflowError(f"{row['line']}: {row['sample']} is there a second time")
        samples[row["sample"]] = row
    return samples


def present_files(wildcards):
    """Give the files that the sheets name; tell of all that are missing, a line each.

    This is asked before anything runs. A file that another rule makes is not missing.
    """
    missing, named = [], []
    for row, columns in (
        *((row, (*TRAIN_COLUMNS, "model")) for row in SAMPLES.values()),
        *((row, EVALUATE_COLUMNS) for row in EVALUATIONS.values()),
        *((row, VARIANTS_COLUMNS) for row in VARIANTS.values()),
    ):
        for column, paths in files_of(row, columns).items():
            for path in paths:
                named.append(path)
                if not os.path.exists(path) and not is_made(path):
                    missing.append(f"{row['line']}: {column}: no file {path!r}")
    if missing:
        raise WorkflowError("\n".join(dict.fromkeys(missing)))
    return list(dict.fromkeys(named))


def is_made(path):
    return any(rule.is_producer(path) for rule in workflow.rules)


def model_of(wildcards):
    """Give the model of a sample: the file that its row names, or the one that is trained."""
    return SAMPLES[wildcards.sample].get("model", MODEL.format(sample=wildcards.sample))


def train_inputs(wildcards):
    return files_of(SAMPLES[wildcards.sample], TRAIN_COLUMNS)


def train_options(wildcards, input):
    return options_of(SAMPLES[wildcards.sample], TRAIN_COLUMNS, input)


def calibrate_options(wildcards, input):
    """Spell a row for `seqcnn calibrate`, which chooses the number of networks by itself."""
    settings = config["calibrate"]
    columns = [column for column in TRAIN_COLUMNS if column != "members"]
    searched = ["--trials", str(settings["trials"])]
    row = options_of(SAMPLES[wildcards.sample], columns, input)
    return " ".join([row, shlex.join(searched), quoted(settings["options"])])


def trials_of(wildcards):
    """Name the shards of the trials of a sample."""
    shards = min(config["calibrate"]["shards"], config["calibrate"]["trials"])
    return [
        f"{TRIALS}/trials.tsv".format(**wildcards, shard=shard, shards=shards)
        for shard in range(1, shards + 1)
    ]


def evaluate_inputs(wildcards):
    return files_of(EVALUATIONS[wildcards.sample, wildcards.evaluation], EVALUATE_COLUMNS)


def evaluate_options(wildcards, input):
    return options_of(EVALUATIONS[wildcards.sample, wildcards.evaluation], EVALUATE_COLUMNS, input)


def logos_inputs(wildcards):
    motifs = config["export_logos"]["motifs"]
    return {"motifs": motifs} if motifs else {}


def logos_options(wildcards, input):
    motifs = ["--motifs", input.motifs] if "motifs" in input.keys() else []
    return f"{shlex.join(motifs)} {quoted(config['export_logos']['options'])}"


def genome_of_variants(wildcards):
    return {"fasta": VARIANTS[wildcards.variants]["fasta"]}


def variants_inputs(wildcards):
    return {"vcf": VARIANTS[wildcards.variants]["vcf"], **genome_of_variants(wildcards)}


def variants_options(wildcards):
    """Spell what the configuration and the row say of a VCF; the row comes last, so it wins."""
    row, settings = VARIANTS[wildcards.variants], config["score_variants"]
    words = ["--ref-mismatch", settings["ref_mismatch"]]
    words += ["--regions", row["regions"]] if "regions" in row else []
    return " ".join(
        [shlex.join(words), quoted(settings["options"]), quoted(row.get("options", ""))]
    )


def shards_of(wildcards, kind):
    """Name the shards of a scored VCF, in their order."""
    shards = int(VARIANTS[wildcards.variants].get("shards", config["score_variants"]["shards"]))
    names = [
        f"{SHARD}.{kind}".format(**wildcards, shard=i, shards=shards) for i in range(1, shards + 1)
    ]
    return names


def folder_of(file):
    return str(Path(file).parent)


def wanted_scores():
    """Give each sample and VCF that belong together."""
    return [(sample, name) for name, row in VARIANTS.items() for sample in wanted_samples(row)]


def finished(wildcards=None):
    """List all that a run gives, but for the page that tells of it."""
    trained = [sample for sample, row in SAMPLES.items() if "model" not in row]
    files = [
        f"{RESULTS}/models/{sample}/{file}"
        for sample in trained
        for file in ("report.html", "metrics.json")
    ]
    files += [f"{RESULTS}/logos/{sample}/index.html" for sample in SAMPLES]
    files += [f"{RESULTS}/evaluations/{s}/{name}/metrics.json" for s, name in EVALUATIONS]
    folders = ["variants", *(["discoveries"] if config["score_variants"]["fdr"] else [])]
    files += [
        f"{RESULTS}/{folder}/{sample}/{name}.{suffix}"
        for sample, name in wanted_scores()
        for folder in folders
        for suffix in ("vcf.gz", "tsv.gz")
    ]
    if config["mutation_maps"]["top"]:
        files += [f"{RESULTS}/maps/{sample}/{name}/map.tsv" for sample, name in wanted_scores()]
    return files


def everything():
    """List all that a run gives. What the sheets name is looked over first."""
    return [PREPARED, *finished(), f"{RESULTS}/overview.html"]


check(config, "../schemas/config.schema.yaml", lambda steps: "configuration")

RESULTS = config["results"].rstrip("/")
PREPARED = f"{RESULTS}/prepared.json"
MODEL = f"{RESULTS}/models/{{sample}}/model.safetensors"
SHARD = f"{RESULTS}/variants/{{sample}}/{{variants}}.shards/{{shard}}of{{shards}}"
TRIALS = f"{RESULTS}/calibrations/{{sample}}/trials.{{shard}}-of-{{shards}}"
# --force, for Snakemake makes the output folders before a command runs.
COMMON = f"--seed {config['seed']} --device {config['device']} --force"
CALIBRATED = config["calibrate"]["trials"] > 0
SHEETS = [config[sheet] for sheet in ("samples", "evaluations", "variants") if config[sheet]]
SAMPLES = by_sample(
    with_configured(each, config["train"])
    for row in read_sheet(config["samples"], "../schemas/samples.schema.yaml", ["sample"])
    for each in with_folds(row)
)
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
    quoted(row.get("options", ""))


wildcard_constraints:
    sample="[A-Za-z0-9._-]+",
    evaluation="[A-Za-z0-9._-]+",
    variants="[A-Za-z0-9._-]+",
    shard="[1-9][0-9]*",
    shards="[1-9][0-9]*",


if config["container"]:

    container: config["container"]

"""What all commands share: help, exit codes, configuration, signals, and quiet pipes."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders import World, write_fasta, write_lines
from commands import QUICK, process, refused, seqcnn, tree

from seqcnn.cli import main

COMMANDS = main.list_commands(None)
HEAVY = {"torch", "numpy", "pandas", "matplotlib", "logomaker", "pysam", "yaml"}

each_command = pytest.mark.parametrize("command", COMMANDS)


def example_of(command: str) -> list[str]:
    """The example in a help text, as words."""
    text = seqcnn(command, "--help").stdout
    match = re.search(r"^Example:\n((?:  .*\n)+)", text, flags=re.MULTILINE)
    assert match, text
    *_, line = match[1].splitlines()
    return shlex.split(line)


# Help and usage


@each_command
def test_help_has_one_example_that_parses(command: str) -> None:
    program, name, *words = example_of(command)
    assert (program, name) == ("seqcnn", command)
    main.get_command(None, command).make_context(name, words)


@each_command
def test_short_help_is_help(command: str) -> None:
    assert seqcnn(command, "-h").stdout == seqcnn(command, "--help").stdout


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_rendered_and_says_what_each_option_is(command: str) -> None:
    text = seqcnn(*command.split(), "--help").stdout
    assert "\\b" not in text
    assert "\b" not in text
    assert max(map(len, text.splitlines())) <= 100
    for option in main.get_command(None, command).params if command else []:
        if option.param_type_name == "option":
            assert option.help, f"{option.name} is not explained"


def test_the_group_has_an_example_of_commands_that_are_there() -> None:
    lines = re.findall(r"^  (seqcnn .*)$", seqcnn("--help").stdout, flags=re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        _, name, *words = shlex.split(line)
        main.get_command(None, name).make_context(name, words)


@each_command
def test_every_command_has_the_common_options(command: str) -> None:
    names = {name for option in main.get_command(None, command).params for name in option.opts}
    wanted = "--config --seed --device --threads --force --quiet -q --verbose -v"
    assert names >= set(wanted.split())


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_without_arguments_comes_usage(command: str) -> None:
    result = seqcnn(*command.split(), code=2)
    assert "Usage: " in result.stderr
    assert "Example:" in result.stderr


@pytest.mark.parametrize(
    "words",
    [["trian"], ["train", "--pekas", "x"], ["train", "-o"], ["info"], ["info", "a", "b"],
     ["train", "--ratio", "none", "-o", "x"], ["predict", "x.fa"]],
)  # fmt: skip
def test_wrong_usage_exits_with_2(words: list[str]) -> None:
    if words == ["info"]:
        words = ["info", "--force"]
    result = seqcnn(*words, code=2)
    assert "Error: " in result.stderr


def test_version() -> None:
    assert re.fullmatch(r"seqcnn, version \d+\.\d+\.\d+\n", seqcnn("--version").stdout)


def modules_after(*words: object) -> tuple[int, set[str]]:
    """Run a command; give its exit code and the packages that it imported."""
    script = (
        "import sys\n"
        "from seqcnn.cli import main\n"
        "try:\n"
        f"    main({[str(word) for word in words]!r})\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        "print('MODULES', *sys.modules, file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    modules = done.stderr.splitlines()[-1].split()[1:]
    return done.returncode, {name.split(".")[0] for name in modules}


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["train", "--badoption"]])
def test_help_and_usage_errors_wait_for_nothing_heavy(words: list[str]) -> None:
    code, modules = modules_after(*words)
    assert code == (2 if "--badoption" in words else 0)
    assert not HEAVY & modules


def test_a_model_with_global_pooling_runs_without_torch(
    world: World, model: Path, tmp_path: Path
) -> None:
    """It takes more than a second to import: as long as scoring 20,000 variants."""
    for words in (
        ["predict", "-m", model, world.positives, "-o", tmp_path / "o.tsv"],
        [
            "score-variants",
            "-m",
            model,
            "--fasta",
            world.genome,
            world.variants,
            "-o",
            tmp_path / "o.vcf",
        ],
    ):
        code, modules = modules_after(*words, "--device", "cpu", "-q")
        assert code == 0
        assert "torch" not in modules


# Errors


def test_an_error_does_not_steer_the_terminal(tmp_path: Path, model: Path) -> None:
    (tmp_path / "a.fa").write_bytes(b">a\x1b[31m\n>b\nACGT\n")
    message = refused(tmp_path, "predict", "-m", model, tmp_path / "a.fa")
    assert "a\\x1b[31m" in message
    assert message.isprintable()


def test_too_little_memory_is_told(
    tmp_path: Path, model: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 54 TiB")

    monkeypatch.setattr("seqcnn.sources.read_unlabelled", fail)
    message = refused(tmp_path, "predict", "-m", model, world.positives)
    assert message.startswith("memory: there is not enough (Unable to allocate 54 TiB); choose")


# Configuration


def test_flags_win_over_the_configuration(world: World, tmp_path: Path, model: Path) -> None:
    config = write_lines(
        tmp_path / "c.yaml",
        [
            f"model: {model}",
            f"fasta: {world.genome}",
            f"output: {tmp_path / 'a.tsv'}",
            "quiet: true",
        ],
    )
    result = seqcnn("predict", world.peaks, "--config", config)
    assert (tmp_path / "a.tsv").exists()
    assert result.stderr == ""
    seqcnn("predict", world.peaks, "--config", config, "-o", tmp_path / "b.tsv")
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()


def test_configuration_takes_lists_and_mappings(world: World, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        f"peaks: {{a: {world.peaks}, b: {world.other_peaks}}}\nfasta: {world.genome}\n"
        "test: [chr5, chr6]\nvalidation: 0.2\narch: deepbind\n"
        "set: {detectors: 2, width: 10}\nsteps: 2\nlength: 61\n",
        encoding="utf-8",
    )
    result = seqcnn("train", "--config", tmp_path / "c.yaml", "-o", tmp_path / "run")
    assert "test: 192 sequences, 96 positive" in result.stderr
    shown = seqcnn("info", tmp_path / "run/model.safetensors").stdout
    assert "multilabel: a, b" in shown
    assert "deepbind (detectors=2, width=10" in shown
    assert "61 bp" in shown


@pytest.mark.parametrize(
    ("text", "needles"),
    [
        ("lenght: 5\n", ["c.yaml: lenght", "did you mean 'length'?"]),
        ("- a\n- b\n", ["c.yaml", "no options"]),
        ("a: [1\nb: }\n", ["c.yaml", "is not YAML"]),
        ("", ["c.yaml", "empty"]),
        (None, ["c.yaml", "no such file"]),
        ("config: other.yaml\n", ["no such option"]),
        ("arch-help: true\n", ["no such option"]),
        ("length: 61\nseed: 1\nlength: 51\n", ["c.yaml:1", "'length' stands twice"]),
        ("batch-size: 9\nbatch_size: 9\n", ["c.yaml: batch_size", "stands twice"]),
        ("length: 61\nseed: [1\n", ["c.yaml:3", "is not YAML"]),
        ("length: *x\n", ["c.yaml:1", "undefined alias"]),
        ("a: " + "[" * 3000 + "]" * 3000, ["c.yaml", "is not YAML"]),
        ("set: &a [*a]\n", ["c.yaml:1", "recursive"]),
        ("set: [[a=1]]\n", ["c.yaml: set", "a list within a list"]),
        ("peaks: [null]\n", ["c.yaml: peaks", "nothing"]),
        ('fasta: "a\\0b"\n', ["c.yaml: fasta", "a zero byte"]),
        ("length: 61\0\n", ["c.yaml", "is not YAML"]),
        ("? [a]\n: 2\n", ["c.yaml:1", "is not YAML"]),
        ("a: b\n" * 300_000, ["c.yaml", "more than 1 MiB"]),
        ("fasta: true\npeaks: -3\n", ["true: no such file"]),
        ("arch: !!int x\npeaks: a\nfasta: b\n", ["x"]),
    ],
)
def test_bad_configuration(text: str | None, needles: list[str], tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    words = ("train", "--config", tmp_path / "c.yaml", "-o", tmp_path / "run")
    message = refused(tmp_path, *words)
    assert all(needle in message for needle in needles), message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("members", value) for value in ("many", "1.5", "true", ".inf", "2020-01-01", "0x2")),
        *(("seed", value) for value in ("1:30", "2020-99-99", "!!timestamp x", "[1, 2]")),
        *(("quiet", value) for value in ("-3", "1.5", "[yes, no]")),
    ],
)
def test_a_value_of_the_wrong_kind_in_the_configuration_is_usage(
    name: str, value: str, tmp_path: Path
) -> None:
    config = write_lines(tmp_path / "c.yaml", [f"{name}: {value}"])
    result = seqcnn("train", "--config", config, "-o", tmp_path / "run", code=2)
    assert f"--{name}" in result.stderr


def test_the_option_null_has_the_name_of_nothing(world: World, tmp_path: Path, model: Path) -> None:
    config = write_lines(tmp_path / "config.yaml", ["null: 20"])
    words = ["score-variants", "-m", model, "--fasta", world.genome, world.variants]
    drawn = seqcnn(*words, "--null", 20).stdout
    assert seqcnn(*words, "--config", config).stdout == drawn
    assert "SEQCNN_Q=" in drawn


def test_an_option_without_a_value_in_the_configuration_is_not_given(
    world: World, tmp_path: Path, model: Path
) -> None:
    config = write_lines(
        tmp_path / "c.yaml", [f"model: {model}", "fasta:", "seed: ~", "threads: null", "quiet: on"]
    )
    assert "device:" not in seqcnn("predict", world.positives, "--config", config).stderr


# Outputs


def outputs(world: World, model: Path) -> dict[str, list[object]]:
    """A command line of each command that writes, up to its output."""
    at_genome = ["--fasta", world.genome]
    score = ["score-variants", "-m", model, world.variants, *at_genome]
    return {
        "train": ["train", "--peaks", world.peaks, *at_genome, *QUICK, "-o"],
        "evaluate": ["evaluate", "-m", model, "--peaks", world.peaks, *at_genome, "-o"],
        "predict": ["predict", "-m", model, world.peaks, *at_genome, "-o"],
        "score-variants": [*score, "-o"],
        "tsv": [*score, "-o", os.devnull, "--tsv"],
        "export-logos": ["export-logos", "-m", model, "-o"],
    }


FOLDERS = {"train", "evaluate", "export-logos"}
each_output = pytest.mark.parametrize(
    "name", ["train", "evaluate", "predict", "score-variants", "tsv", "export-logos"]
)


@each_output
def test_existing_output_is_refused(name: str, world: World, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if name in FOLDERS:
        out.mkdir()
        (out / "metrics.json").write_text("old")
    else:
        out.write_text("old")
    message = refused(tmp_path, *outputs(world, model)[name], out)
    assert message == f"{out}: exists already; give another name, or --force"


@each_output
def test_output_in_an_absent_folder_is_refused(
    name: str, world: World, model: Path, tmp_path: Path
) -> None:
    message = refused(tmp_path, *outputs(world, model)[name], tmp_path / "absent/out")
    assert "no folder" in message
    assert "make it first" in message


@each_output
def test_output_where_nobody_can_write_is_refused(
    name: str, world: World, model: Path, tmp_path: Path
) -> None:
    message = refused(tmp_path, *outputs(world, model)[name], "/proc/out")
    assert message.startswith("/proc/out: ")
    assert ".partial" not in message


@each_output
def test_output_of_the_other_kind_is_refused(
    name: str, world: World, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.write_text("a file") if name in FOLDERS else out.mkdir()
    message = refused(tmp_path, *outputs(world, model)[name], out, "--force")
    assert ("is a file" if name in FOLDERS else "is a folder") in message


@each_output
def test_an_input_is_never_written_over(
    name: str, world: World, model: Path, tmp_path: Path
) -> None:
    """Not even with --force; nor is a folder that holds one."""
    words = outputs(world, model)[name]
    out = world.folder if name == "train" else model.parent if name in FOLDERS else model
    before = tree(out.parent)
    message = refused(tmp_path, *words, out, "--force")
    assert "another file of this command" in message or "does not write" in message
    assert tree(out.parent) == before


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_a_folder_with_other_files_is_never_replaced(
    name: str, world: World, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    write_lines(tmp_path / "home/thesis.tex", ["three years of work"])
    message = refused(tmp_path, *outputs(world, model)[name], tmp_path / "home", "--force")
    assert "'thesis.tex', which this command does not write" in message


def test_force_replaces_what_was_there(world: World, model: Path, tmp_path: Path) -> None:
    words = outputs(world, model)
    (tmp_path / "scores.tsv").write_text("old")
    seqcnn(*words["predict"], tmp_path / "scores.tsv", "--force")
    assert (tmp_path / "scores.tsv").read_text().startswith("name\t")
    (tmp_path / "logos").mkdir()
    (tmp_path / "logos/filters.tsv").write_text("old")
    seqcnn(*words["export-logos"], tmp_path / "logos", "--force", "--logos", 1)
    assert (tmp_path / "logos/filters.tsv").read_text() != "old"
    assert {path.name for path in tmp_path.iterdir()} == {"scores.tsv", "logos"}


def test_a_link_stays_a_link(world: World, model: Path, tmp_path: Path) -> None:
    (tmp_path / "real.tsv").write_text("old")
    (tmp_path / "link.tsv").symlink_to("real.tsv")
    seqcnn(*outputs(world, model)["predict"], tmp_path / "link.tsv", "--force")
    assert (tmp_path / "link.tsv").is_symlink()
    assert (tmp_path / "real.tsv").read_text().startswith("name\t")


def test_a_device_is_written_to_and_stays(world: World, model: Path) -> None:
    for name in ("predict", "score-variants", "tsv"):
        seqcnn(*outputs(world, model)[name], os.devnull)
    assert Path(os.devnull).is_char_device()


# Other machines, other files


@pytest.mark.parametrize("name", ["train", "evaluate", "predict", "score-variants"])
@pytest.mark.parametrize("device", ["cuda:99", "tpu", "cuda:x"])
def test_a_device_that_is_not_there_is_refused(
    name: str, device: str, world: World, model: Path, tmp_path: Path
) -> None:
    words = [*outputs(world, model)[name], tmp_path / "out", "--device", device]
    assert f"--device {device}" in refused(tmp_path, *words)


def test_quiet_and_verbose(world: World, model: Path, tmp_path: Path) -> None:
    words = outputs(world, model)["predict"]
    assert seqcnn(*words, tmp_path / "a", "-q").stderr == ""
    usual = seqcnn(*words, tmp_path / "b").stderr
    assert "device: " in usual
    assert len(seqcnn(*words, tmp_path / "c", "-v").stderr.splitlines()) >= len(usual.splitlines())


def bad_models(model: Path, folder: Path) -> dict[str, Path]:
    data = model.read_bytes()
    (folder / "cut").write_bytes(data[: len(data) // 2])
    (folder / "empty").write_bytes(b"")
    (folder / "text").write_text("this is no model\n")
    (folder / "pickle").write_bytes(b"\x80\x02}q\x00.")
    return {name: folder / name for name in ("cut", "empty", "text", "pickle", "absent")} | {
        "folder": folder
    }


@pytest.mark.parametrize("kind", ["cut", "empty", "text", "pickle", "absent", "folder"])
def test_a_file_that_is_no_model_is_refused(
    kind: str, world: World, model: Path, tmp_path: Path
) -> None:
    wrong = bad_models(model, tmp_path)[kind]
    for words in (
        ["info", wrong],
        ["predict", "-m", wrong, world.positives],
        ["score-variants", "-m", wrong, "--fasta", world.genome, world.variants],
        ["export-logos", "-m", wrong, "-o", tmp_path / "out"],
        ["evaluate", "-m", wrong, "--seq", world.seq, "-o", tmp_path / "out"],
    ):
        assert refused(tmp_path, *words).startswith(f"{wrong}: ")


# Signals and pipes


def test_a_closed_pipe_is_quiet(model: Path, tmp_path: Path) -> None:
    records = [
        (f"s{i}", "ACGTACGTACG" * 5 + "ACGTAC") for i in range(5000)
    ]  # more than a pipe holds
    fasta = write_fasta(tmp_path / "many.fa", records)
    with process("predict", "-q", "-m", model, fasta) as running:
        assert running.stdout.readline().startswith(b"name\t")
        running.stdout.close()
        assert running.stderr.read() == b""
        running.wait(60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_leaves_only_what_can_be_gone_on_with(
    number: signal.Signals, world: World, tmp_path: Path
) -> None:
    words = ["train", "--peaks", world.peaks, "--fasta", world.genome, "-o", tmp_path / "run"]
    with process(*words, "--steps", 1_000_000, "--set", "detectors=4") as running:
        lines = []
        while not lines or b"test: " not in lines[-1]:
            lines.append(running.stderr.readline())
            assert lines[-1], lines
        assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
        time.sleep(0.5)
        running.send_signal(number)
        try:
            assert running.wait(20) == 128 + number
        finally:
            running.kill()
        said = running.stderr.read().decode()
    assert "Traceback" not in said
    left = [path.name for path in tmp_path.iterdir()]
    assert left == (["run.partial"] if "with --resume goes on" in said else [])


def test_a_full_disk_is_told_in_one_line(world: World, model: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    for name in ("predict", "score-variants"):
        words = outputs(world, model)[name]
        message = refused(model.parent / "none", *words, "/dev/full")
        assert "No space left" in message


@pytest.mark.parametrize("words", [["--help"], ["info", "--help"]])
def test_help_that_cannot_be_written_is_told_in_one_line(words: list[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with Path("/dev/full").open("wb") as full, process(*words, stdout=full) as running:
        lines = running.stderr.read().decode().splitlines()
        assert running.wait(60) == 1
    assert len(lines) == 1, lines
    assert lines[0].startswith("seqcnn: error: ")


@pytest.mark.parametrize(
    ("closed", "code", "found"),
    [(0, 1, "the file is empty"), (1, 1, "standard output: is closed"), (2, 0, "")],
)
def test_a_closed_stream_is_told_or_not_missed(
    closed: int, code: int, found: str, model: Path, world: World, tmp_path: Path
) -> None:
    given = "-" if closed == 0 else world.positives
    words = ["predict", "-m", model, given, "-o", tmp_path / "o.tsv"]
    with process(*words, preexec_fn=lambda: os.close(closed)) as running:
        said = running.stderr.read().decode()
        assert running.wait(60) == code
    assert "Traceback" not in said
    assert found in said
    assert (tmp_path / "o.tsv").exists() == (code == 0)


def test_short_help_is_help_even_after_a_use_without_the_group(world: World) -> None:
    """Click keeps the help option that a command makes first."""
    command = main.get_command(None, "info")
    command._help_option = None
    command.make_context("info", [str(world.folder)])
    assert "Usage:" in seqcnn("info", "-h").stdout

"""The rules of the house that no linter can express."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import seqcnn

LONGEST_FUNCTION = 60  # lines, without the docstring
LONGEST_MODULE = 400
ROOMS_WITHOUT_A_SUBJECT = {"utils", "common", "helpers", "types", "misc"}

PACKAGE = Path(seqcnn.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
each_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE))
)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - (docstring.end_lineno - docstring.lineno + 1)


def bound_names(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Every name that the top level of a module binds."""
    for statement in tree.body:
        if isinstance(statement, Definition):
            yield statement.name, statement
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                for node in ast.walk(target):
                    if isinstance(node, ast.Name):
                        yield node.id, statement
        elif isinstance(statement, ast.AnnAssign):
            yield ast.unparse(statement.target), statement
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            for alias in statement.names:
                yield alias.asname or alias.name.split(".")[0], statement


def exported_names(tree: ast.Module) -> list[str] | None:
    for name, statement in bound_names(tree):
        if name == "__all__":
            return ast.literal_eval(statement.value)
    return None


def test_there_are_modules_to_check() -> None:
    assert len(MODULES) > 3


@each_module
def test_no_function_is_too_long(path: Path) -> None:
    functions = [
        node
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    too_long = {f.name: body_length(f) for f in functions if body_length(f) > LONGEST_FUNCTION}
    assert not too_long


@each_module
def test_no_module_is_too_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


@each_module
def test_module_is_named_for_its_subject(path: Path) -> None:
    assert path.stem not in ROOMS_WITHOUT_A_SUBJECT


@each_module
def test_module_begins_with_a_docstring(path: Path) -> None:
    assert ast.get_docstring(parse(path))


@each_module
def test_all_lists_what_is_public_and_only_what_exists(path: Path) -> None:
    tree = parse(path)
    bound = dict(bound_names(tree))
    public = {
        name
        for name, statement in bound.items()
        if isinstance(statement, Definition) and not name.startswith("_")
    }
    exported = exported_names(tree)
    if exported is None:
        assert not public, "no __all__"
        return
    assert sorted(set(exported)) == sorted(exported), "a name twice in __all__"
    assert set(exported) <= set(bound), "__all__ names what is not there"
    assert public <= set(exported), "public, but not in __all__"


@each_module
def test_what_is_exported_has_a_docstring(path: Path) -> None:
    tree = parse(path)
    bound = dict(bound_names(tree))
    silent = [
        name
        for name in exported_names(tree) or []
        if isinstance(bound.get(name), Definition) and not ast.get_docstring(bound[name])
    ]
    assert not silent


@each_module
def test_types_stand_in_signatures_only(path: Path) -> None:
    """A numpydoc ``name : type`` line says again, unchecked, what the signature says."""
    repeated = [
        line.strip()
        for node in ast.walk(parse(path))
        if isinstance(node, Definition)
        for section in re.findall(
            r"^(?:Parameters|Attributes)\n-+\n(.*?)(?:\n\n\w|\Z)",
            ast.get_docstring(node) or "",
            flags=re.DOTALL | re.MULTILINE,
        )
        for line in section.splitlines()
        if re.match(r"\w+ : ", line)
    ]
    assert not repeated


def test_every_dependency_has_a_tested_version(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = [requirement for group in groups for requirement in group]
    tested = (root / "constraints.txt").read_text()
    pinned = {
        re.sub(r"[-_.]+", "-", line.split("==")[0]).lower()
        for line in tested.splitlines()
        if not line.startswith("#")
    }
    names = {re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", each)[0]).lower() for each in wanted}
    assert names <= pinned
    assert "+" not in tested, "a local version (torch+cpu) cannot be had elsewhere"


def test_citation_names_the_version(root: Path) -> None:
    assert f"\nversion: {seqcnn.__version__}\n" in (root / "CITATION.cff").read_text()


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from seqcnn.cli import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout
    heavy = {"torch", "numpy", "pandas", "matplotlib", "logomaker", "pysam", "pyfaidx", "pyarrow"}
    assert not heavy & set(done.stderr.split())

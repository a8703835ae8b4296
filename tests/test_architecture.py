"""Imports go one way: computed from the source, type-checking imports included."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[1]

GROUND = "ground"
GROUND_PACKAGES = {"fields", "metadata"}

ALLOWED: Mapping[str, set[str]] = {
    GROUND: set(),
    "models": {GROUND},
    "output": {GROUND},
    "pipeline": {GROUND, "models"},
    "embedded": {GROUND, "models", "pipeline"},
    "execution": {GROUND, "models", "output", "pipeline"},
    "worker": {GROUND, "models", "pipeline", "execution"},
    "sweep": {GROUND, "models", "output", "execution"},
    "batch": {GROUND, "models", "output", "execution"},
    "explain": {GROUND, "models", "output", "pipeline", "execution"},
    "meaning": {GROUND, "models", "output", "pipeline", "embedded"},
    "verify": {GROUND, "models", "output", "pipeline"},
    "training": {GROUND, "models", "pipeline", "embedded"},
    "bench": {GROUND, "models", "pipeline", "embedded"},
    "cli": {
        *(GROUND, "models", "output", "pipeline", "execution"),
        *("worker", "embedded", "sweep", "batch", "explain", "meaning", "verify", "training"),
        "bench",
    },
}
"""Which packages each package may import, in functions too. The ground that all stand on is the
modules at the top, the fields of a request and what images say about themselves."""

DOORS = {"sheepgen", "sheepgen.__main__"}
"""They offer what is inside to the world, and nothing inside imports them."""

HEAVY = {"diffusers", "huggingface_hub", "numpy", "safetensors", "torch", "transformers"}


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / "sheepgen").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def package_of(module: str) -> str:
    parts = module.split(".")
    inside = len(parts) > 2 or MODULES[module].name == "__init__.py"
    return parts[1] if inside and parts[1] not in GROUND_PACKAGES else GROUND


def imports(
    module: str, *, in_functions: bool = False, for_types: bool = True
) -> Iterator[tuple[str, str]]:
    """Yield what a module imports: the module, and the name taken out of it or nothing."""
    waiting: list[ast.AST] = [ast.parse(MODULES[module].read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not in_functions:
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not for_types:
            continue
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        waiting += ast.iter_child_nodes(node)


def own_imports(module: str, *, in_functions: bool = False, for_types: bool = True) -> set[str]:
    """Return the modules of sheepgen that a module imports."""
    found = set()
    for name, part in imports(module, in_functions=in_functions, for_types=for_types):
        full = f"{name}.{part}"
        found |= {each for each in (full if full in MODULES else name,) if each in MODULES}
    return found - {module}


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {module: own_imports(module) for module in MODULES}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"import cycle: {' <- '.join(error.args[1])}")


def test_packages_import_only_what_is_below_them() -> None:
    wrong = defaultdict(set)
    for module in MODULES.keys() - DOORS:
        for target in own_imports(module, in_functions=True):
            if target in DOORS or package_of(target) not in {
                package_of(module),
                *ALLOWED[package_of(module)],
            }:
                wrong[module].add(target)
    assert not wrong


def test_the_command_line_starts_without_what_is_heavy() -> None:
    reached, waiting = {"sheepgen.__main__", "sheepgen.cli.app"}, ["sheepgen.cli.app"]
    while waiting:
        for target in own_imports(waiting.pop(), for_types=False) - reached:
            reached.add(target)
            waiting.append(target)
    heavy = {
        (module, name)
        for module in reached
        for name, _ in imports(module, for_types=False)
        if name.partition(".")[0] in HEAVY
    }
    assert not heavy


def test_every_module_is_imported_somewhere() -> None:
    imported = {target for module in MODULES for target in own_imports(module, in_functions=True)}
    named_in_tables = {
        module
        for module in MODULES
        if any(f'"{module}"' in path.read_text(encoding="utf-8") for path in MODULES.values())
    }
    entrances = {
        module
        for module, path in MODULES.items()
        if module.endswith("__main__") or '__name__ == "__main__"' in path.read_text("utf-8")
    }
    packages = {module for module in MODULES if MODULES[module].name == "__init__.py"}
    assert MODULES.keys() - imported - named_in_tables - entrances - packages == set()


def names_in(module: str) -> set[str]:
    """Return the names that a module and its classes define or import."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Assign(targets=targets):
                found |= {each.id for each in targets if isinstance(each, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case ast.ImportFrom(names=names):
                found |= {each.asname or each.name for each in names}
            case _:
                pass
    return found


def test_texts_name_what_there_is() -> None:
    """A module, function or attribute that is named in full in a docstring exists."""
    texts = [
        *(ROOT / "sheepgen").rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
        ROOT / "README.md",
    ]
    gone = []
    for path in texts:
        for name in re.findall(r"`(sheepgen(?:\.\w+)+)`", path.read_text("utf-8")):
            module = name
            while module not in MODULES:
                module = module.rpartition(".")[0]
            inside = name.removeprefix(module).split(".")[1:]
            if not names_in(module) >= set(inside):
                gone.append(f"{path.relative_to(ROOT)}: {name}")
    assert not gone

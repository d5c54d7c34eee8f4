"""What every command is: help with a worked example, options in one order, log lines."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from seqcnn.cli.log import log_to_stderr

__all__ = ["Command", "ExampleHelp", "add_options"]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_HEADING = "heading"


def add_options(
    command: Decorated, options: Sequence[Callable[[Decorated], Decorated]], heading: str
) -> Decorated:
    """Add options to a command that stand in its help under a heading of their own.

    Parameters
    ----------
    command
        A function that is to be a command.
    options
        What `click.option` makes, in the order of the help.
    heading
        Of the part of the help.
    """
    for option in reversed(options):
        command = option(command)
        # Of a command that is made already, or of the function that it is made from.
        parameters = vars(command).get("params") or vars(command)["__click_params__"]
        vars(parameters[-1])[_HEADING] = heading
    return command


class ExampleHelp(click.Command):
    """A command whose help shows an example, line by line as it would be typed."""

    def __init__(self, *args: Any, example: str, **keywords: Any) -> None:
        # Not from the group alone: click keeps the help option that it makes first.
        keywords["context_settings"] = {
            "help_option_names": ["-h", "--help"],
            "max_content_width": 100,
        }
        super().__init__(*args, **keywords)
        self.example = example

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the description, and the example under it."""
        super().format_help_text(ctx, formatter)
        with formatter.section("Example"):
            for line in self.example.splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class Command(ExampleHelp):
    """A command of seqcnn."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in the parts that `add_options` made of them, its own first."""
        parts: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record:
                heading = vars(parameter).get(_HEADING, "Options")
                parts.setdefault(heading, []).append(record)
        for heading, records in parts.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command with its options in the order of their declaration.

        Click hands them over in the order of the command line, which must leave no trace in a
        model file.
        """
        names = [str(parameter.name) for parameter in self.params]
        ctx.params = {name: ctx.params[name] for name in names if name in ctx.params}
        with log_to_stderr(quiet=ctx.params["quiet"], verbose=ctx.params["verbose"]):
            return super().invoke(ctx)

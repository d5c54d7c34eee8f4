"""What every command is: help with a worked example, options in one order, log lines."""

from typing import Any

import click

from seqcnn.cli.log import log_to_stderr

__all__ = ["Command", "ExampleHelp"]


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

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command with its options in the order of their declaration.

        Click hands them over in the order of the command line, which must leave no trace in a
        model file.
        """
        names = [str(parameter.name) for parameter in self.params]
        ctx.params = {name: ctx.params[name] for name in names if name in ctx.params}
        with log_to_stderr(quiet=ctx.params["quiet"], verbose=ctx.params["verbose"]):
            return super().invoke(ctx)

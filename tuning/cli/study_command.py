"""A command on a study file: a mistake in an option is told with the `--set` that was meant."""

from typing import Any

from mtl_core.errors import ConfigError
from tuning.cli.command import Command
from tuning.cli.errors import tell_programs


class StudyCommand(Command):
    """A command that takes `--set KEY=VALUE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the words of a command line; an error of usage gets a hint at its end."""
        typed = list(args)  # Parsing takes words out of the list.
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            # The class of these errors lies in a private module of typer; all have a `message`.
            if hint := self._hint(typed) if hasattr(error, "message") else "":
                error.message = f"{str(error.message).rstrip('.')}. {hint}"  # type: ignore[attr-defined]
            if hasattr(error, "format_message"):  # Typer ends the process with it, not `main`.
                tell_programs([str(error.format_message())], ConfigError.exit_code)
            raise

    def _hint(self, words: list[str]) -> str:
        """Returns what was meant by `--set KEY VALUE` or by `--KEY VALUE`, or ""."""
        options = {option for parameter in self.params for option in parameter.opts}
        for word, after, value in zip(words, [*words[1:], ""], [*words[2:], "", ""], strict=False):
            if word == "--set" and "=" not in after:
                return f"--set takes KEY=VALUE: --set {after or 'KEY'}={value or 'VALUE'}"
        # Imported here: the schema takes seconds, and only a mistake needs it.
        from mtl_core.section import keys_named
        from tuning.study.config import StudyFile

        for word, after in zip(words, [*words[1:], ""], strict=True):
            option, _, value = word.partition("=")
            if not option.startswith("--") or option in options:
                continue
            if found := keys_named(StudyFile, option[2:].replace("-", "_")):
                key = found[0].removeprefix("run.")
                return f"Did you mean --set {key}={value or after or 'VALUE'}?"
        return ""

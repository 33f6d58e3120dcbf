"""pgqrs completion: what a shell needs to complete the command line."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ._command import Command, cli


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion for a shell.

    \b
    bash: eval "$(pgqrs completion bash)"    in ~/.bashrc
    zsh:  eval "$(pgqrs completion zsh)"     in ~/.zshrc
    fish: pgqrs completion fish > ~/.config/fish/completions/pgqrs.fish
    """
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(cli, {}, "pgqrs", "_PGQRS_COMPLETE").source())

"""``bench completion``: what the TAB key offers, from declarations only."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from overopt.catalog import lookup
from overopt.catalog.declarations import unknown
from overopt.errors import UserError
from overopt.spec.declare import OF_FAMILY, Family, GoldUse

ASK = "--offer"
"""``bench --offer WORD...`` prints what may stand for the last word, one a line."""

_SCRIPTS = {
    "bash": """COMP_WORDBREAKS=${{COMP_WORDBREAKS//[:=]/}}
_{name}() {{
    local IFS=$'\\n'
    COMPREPLY=($({name} --offer "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2>/dev/null))
    [[ ${{COMPREPLY[0]-}} == *= ]] && compopt -o nospace
    return 0
}}
complete -o default -o bashdefault -F _{name} {name}
""",
    "zsh": """#compdef {name}
_{name}() {{
    local -a offered
    offered=(${{(f)"$({name} --offer "${{(@)words[2,CURRENT]}}" 2>/dev/null)"}})
    if (( $#offered )); then compadd -Q -a offered; else _files; fi
}}
compdef _{name} {name}
""",
    "fish": """function __{name}_offered
    set -l typed (commandline -opc) (commandline -ct)
    {name} --offer $typed[2..-1] 2>/dev/null
end
complete -c {name} -a '(__{name}_offered)'
""",
}
_HOW = {
    "bash": 'Add to ~/.bashrc:  eval "$({name} completion bash)"',
    "zsh": 'Add to ~/.zshrc, after compinit:  eval "$({name} completion zsh)"',
    "fish": "Save as ~/.config/fish/completions/{name}.fish",
}


def script(shell: str, name: str) -> int:
    """Print the lines that teach a shell; the first says where they go."""
    if shell not in _SCRIPTS:
        raise UserError(unknown("shell", shell, _SCRIPTS))
    head = f"# {_HOW[shell].format(name=name)}\n"
    text = _SCRIPTS[shell].format(name=name)
    sys.stdout.write(text.replace("\n", f"\n{head}", 1) if shell == "zsh" else head + text)
    return 0


def offer(words: Sequence[str], commands: Mapping[str, Any]) -> list[str]:
    """What may stand for the last word.

    Args:
        words: typed after the command's name; the last is unfinished, and may be empty.
        commands: the commands by name, with their ``params`` and, of groups, ``commands``.
    """
    *before, last = words or [""]
    return [one for one in _candidates(before, last, commands) if one.startswith(last)]


def _candidates(before: Sequence[str], last: str, commands: Mapping[str, Any]) -> list[str]:
    if not before:
        return sorted(name for name, one in commands.items() if not one.hidden)
    command = commands.get(before[0])
    if command is None:
        return []
    below = getattr(command, "commands", {})
    if below and len(before) == 1:
        return sorted(below)
    command = below.get(before[1], command) if len(before) > 1 else command
    if last.startswith("-"):
        options = {name for one in command.params for name in one.opts if name.startswith("--")}
        return sorted({*options, "--help"})
    option = next((word for word in reversed(before[1:]) if word.startswith("-")), "")
    return _values(before[0], option, before, last)


def _values(command: str, option: str, before: Sequence[str], last: str) -> list[str]:
    """Values of an option, or of the command's own argument where there is no option."""
    families = [f"{OF_FAMILY}{one}" for one in get_args(Family)]
    known: dict[str, list[str]] = {
        "--task": lookup.names("tasks"),
        "--gold": lookup.names("gold"),
        "--along": ["step", "knob"],
        "--engine": ["native", "trl"],
        "--proxy-start": ["scratch", "policy", "base"],
        "--family": list(get_args(Family)),
        "--uses-gold": [*get_args(GoldUse), "steps"],
    }
    kinds = {"--method": "methods", "-m": "methods", "--proxy": "proxies", "--monitor": "monitors"}
    if option in kinds:
        kind = kinds[option]
        names = [*lookup.names(kind), "all", *(families if kind == "methods" else [])]
        head, comma, _ = last.rpartition(",")
        return [f"{head}{comma}{name}" for name in names]
    if option == "--set":
        return _settings(before)
    if option:
        return known.get(option, [])
    every = {kind: lookup.names(kind) for kind in lookup.SINGULAR}
    return {
        "list": list(lookup.SINGULAR),
        "show": sorted(name for names in every.values() for name in names),
        "cite": sorted([*every["methods"], *every["proxies"], *every["monitors"], "all"]),
        "new": ["method", "proxy", "task", "monitor"],
        "completion": list(_SCRIPTS),
    }.get(command, [])


def _settings(before: Sequence[str]) -> list[str]:
    """Settings of the methods and proxies that were named, such as ``dpo.beta=``."""
    found = []
    for kind in ("methods", "proxies"):
        for name in set(lookup.shipped(kind)) & {lookup.canonical(word) for word in before}:
            found += [f"{name}.{one.name}=" for one in lookup.declaration(kind, name).parameters]
    return sorted(found)

"""What a user can get wrong, told apart from what the program got wrong; and texts from outside."""

import re

LONGEST_LINE = 2000
"""Characters of a message that are shown; those of a stranger's file have no end of their own."""


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """A text from outside as one line of a terminal.

    Characters that do not print, such as those that move the cursor or turn the direction of
    writing, are escapes (`printable`); line breaks become spaces. What is longer loses its middle.

    Args:
        text: from a file, a name or an error of somebody else's code.
        longest: characters that are shown of it.
    """
    if len(text) > longest:
        half = longest // 2
        text = f"{text[:half]} ... {text[-half:]}"
    spaced = " ".join(text.splitlines()) if len(text.splitlines()) > 1 else text.strip("\r\n")
    return printable(spaced)


def printable(text: str) -> str:
    """A text in which characters that do not print, line breaks among them, are escapes."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def harmless(text: str) -> str:
    """A text of any number of lines in which nothing steers a terminal or the way it is read.

    Such characters, and halves of letters, are replaced by the sign for one that is unknown;
    spaces of every kind stay, which ``printable`` turns into escapes.
    """
    return _STEERING.sub("\ufffd", text)


def words_of(error: BaseException) -> str:
    """What an error says; code of a user's own may raise what cannot say anything."""
    try:
        return str(error)
    except Exception:
        return "it cannot be put in words"


class UserError(Exception):
    """A user's mistake: one sentence saying what is wrong, where, what is allowed and what to do.

    The command line prints the sentence without a traceback and exits with code 2. Sentences quote
    names and files of strangers, so that each is made ``one_line``.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(one_line(sentence))


class NothingToRun(UserError):
    """What was asked for cannot be, all of it, which is known before anything is built."""

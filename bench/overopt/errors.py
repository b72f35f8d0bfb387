"""The one exception that a user is meant to read."""


class UserError(Exception):
    """A user's mistake, told in one sentence: what is wrong, where, what is allowed, what to do.

    The command line prints it without a traceback and exits with code 2.
    """

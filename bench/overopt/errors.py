"""What a user can get wrong, told apart from what the program got wrong."""


class UserError(Exception):
    """A user's mistake: one sentence saying what is wrong, where, what is allowed and what to do.

    The command line prints the sentence without a traceback and exits with code 2.
    """

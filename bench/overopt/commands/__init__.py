"""One module per command, loaded when the command is given."""

import os

# No plugin of pydantic is used here, and looking for some reads the metadata of every installed
# package: one that is broken would stop every command.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")

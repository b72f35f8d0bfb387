"""What readers see of a judgment: page, tables and figures."""

"""Tables, figures and the HTML page; reads stored results only, imports neither torch nor methods.

``writing.write_report`` writes all of it; ``tables.terminal.run_table`` ends a run.
"""

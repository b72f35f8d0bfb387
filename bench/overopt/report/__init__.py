"""Tables, figures and the HTML page; reads results only, imports neither torch nor methods."""

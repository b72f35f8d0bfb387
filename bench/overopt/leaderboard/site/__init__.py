"""The leaderboard to be read: a static site, Markdown, LaTeX and the tables behind them."""

"""Claims of papers judged from stored results: readings, rules, tables, figures and the page."""

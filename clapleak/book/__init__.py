"""The book: figures, tables, executed pages and the built site. Nothing in the core imports it."""

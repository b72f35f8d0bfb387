"""The commands of ``bench``, one module each; heavy imports happen inside them."""

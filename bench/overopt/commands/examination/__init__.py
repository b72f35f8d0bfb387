"""``bench examine``: reward models judged on sets of scored responses, without any policy."""

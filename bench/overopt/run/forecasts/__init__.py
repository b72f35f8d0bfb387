"""What a run would cost: time, memory, disk and downloads, before anything is built."""

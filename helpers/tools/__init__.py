"""Commands for makers and teachers, one file each: `python -m helpers NAME` runs helpers/tools/NAME.py."""

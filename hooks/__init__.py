"""What happens around `copier update`: the check of who changed what, the update itself, migrations, the report.

The template's: `copier update` renews these files. Copier runs none of them; `make check`, `make update` and `make
migrate` do.
"""

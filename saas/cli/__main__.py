"""`python -m saas.cli`: the `saas` command where it is not on the path."""

from saas.cli import main

if __name__ == "__main__":
    main()

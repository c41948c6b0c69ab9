"""The generated parts of the service's documents: what code, lock file and rules say, written down for people.

`made` lists the files of docs/reference/; each module beside it makes one of them.
"""

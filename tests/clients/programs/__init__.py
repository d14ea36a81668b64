"""One module per client, with a list `CLIENTS`. tests/clients/README.md explains how to add one."""

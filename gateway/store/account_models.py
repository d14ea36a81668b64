"""The current tables of accounts. See `models`."""

from peewee import CompositeKey, DoubleField, Model

from gateway.store.columns import CleanTextField, JsonField


class AccountFact(Model):
    """One thing that is known about an account, for example one of its windows. See `Fact` in `gateway.accounts`."""

    account = CleanTextField()
    name = CleanTextField()
    value = JsonField(null=True)
    heard_at = DoubleField()

    class Meta:
        table_name = "account_facts"
        primary_key = CompositeKey("account", "name")

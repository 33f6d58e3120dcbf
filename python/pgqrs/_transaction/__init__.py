"""tx=: messages that are stored and settled inside a transaction of the caller.

    _work        what is done before, inside and after, the same for every driver
    _call        the calls of SQL functions, as text with text arguments
    _protocol    what a driver's connection must be able to do
    _kinds       which of the modules below an object is for
    _asyncpg, _psycopg, _sqlalchemy, _django   one driver each

No driver is imported before the program has passed a connection of it. Nothing
here ends the caller's transaction, sets a savepoint or changes a setting of the
session; what goes there is single statements.
"""

from __future__ import annotations

from ._kinds import ACCEPTED, adopt
from ._protocol import Transaction
from ._work import produce, settle

__all__ = ["ACCEPTED", "Transaction", "adopt", "produce", "settle"]

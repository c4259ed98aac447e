"""Reads transactions.csv of the Berka sample and prints one line an account-day: account,date,chosen,balances.

`balances` are the bank's own balances after each row of that account and day, in hundredths, joined by `|`: the file's order
within a day is not the bank's, so any of them may be the day's last. `chosen` is 1 for accounts whose rows, added up from zero,
end each of their days on one of them. Nothing of Lintel is used: the standard library reads the file.
"""

import csv
import sys
from collections import defaultdict


def hundredths(text):
    sign = -1 if text.startswith("-") else 1
    whole, _, part = text.lstrip("-").partition(".")
    return sign * (int(whole) * 100 + int((part + "00")[:2]))


days = defaultdict(lambda: defaultdict(list))
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    for row in csv.DictReader(file):
        sign = 1 if row["type"] == "PRIJEM" else -1
        movement = (sign * hundredths(row["amount"]), hundredths(row["balance"]))
        date = "19{}-{}-{}".format(row["date"][:2], row["date"][2:4], row["date"][4:])
        days[row["account_id"]][date].append(movement)

for account in sorted(days, key=int):
    balance, lines, chosen = 0, [], 1
    for date in sorted(days[account]):
        balance += sum(amount for amount, _ in days[account][date])
        recorded = [after for _, after in days[account][date]]
        if balance not in recorded:
            chosen = 0
        lines.append((date, recorded))
    for date, recorded in lines:
        print(account, date, chosen, "|".join(map(str, recorded)), sep=",")

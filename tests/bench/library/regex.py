"""Python's re beside mpms.re, on a log of 50,000 lines. The same as regex.lua."""
import re
import sys
import time

seed = 42


def random(n):
    global seed
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed // 65536 % n


methods, levels = ["GET", "POST", "PUT"], ["info", "warning", "error"]
lines = [
    '10.%d.%d.%d - user%d [%02d/May/2024:%02d:%02d:%02d] "%s /page/%d?id=%d HTTP/1.1" %d %d %s being, slow ,and careful'
    % (
        random(256), random(256), random(256), random(100), random(28) + 1, random(24), random(60), random(60),
        methods[random(3)], random(1000), random(100000), 200 + random(4) * 100, random(50000), levels[random(3)],
    )
    for _ in range(50000)
]
text = "\n".join(lines)


def best(name, work):
    least, result = float("inf"), None
    for _ in range(5):
        begin = time.perf_counter()
        result = work()
        least = min(least, time.perf_counter() - begin)
    print("%s %.6f" % (name, least))
    print(name, result, file=sys.stderr)


line = re.compile(r'^(?P<ip>\S+) - (?P<user>\S+) \[([^\]]+)\] "(?P<method>\w+) (\S+) [^"]*" (\d{3}) (\d+)')
best("match_groups", lambda: sum(len(line.search(one)["user"]) for one in lines))

bad = re.compile(r"error|fatal|panic")
best("test", lambda: sum(1 for one in lines if bad.search(one)))

best("test_by_text", lambda: sum(1 for one in lines if re.search(r'" [45]\d\d ', one)))

word = re.compile(r"\w+ing\b")
best("find_all", lambda: sum(1 for _ in word.finditer(text)))

number = re.compile(r"id=(\d+)")
best("find_all_group", lambda: sum(len(m[1]) for m in number.finditer(text)))

date = re.compile(r"(\d+)/(\w+)/(\d+)")
best("replace", lambda: len(date.sub(r"\3-\2-\1", text)))

best("replace_function", lambda: len(number.sub(lambda m: "id=%d" % len(m[1]), text)))

comma = re.compile(r"\s*,\s*")
best("split", lambda: len(comma.split(text)))

twice = re.compile(r"(\w)\1(?=\w)")
best("back_reference", lambda: sum(1 for _ in twice.finditer(text)))

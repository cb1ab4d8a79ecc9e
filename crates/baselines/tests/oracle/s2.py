"""Oracle of the golden vectors in tests/golden/: S2 and the Bernoulli CUSUM, in numpy.

Run: python3 s2.py > ../golden/oracle.json. No random numbers: noise is frac(i*phi).
"""
import json
import numpy as np

PHI = 0.6180339887498949
DAY, WEEK, KEPT = 288, 2016, 14 * 288
N = 35 * DAY

i = np.arange(N)
frac = lambda k: (k * PHI) % 1.0
hour = (i % DAY) / 12.0
base = 1 + 0.6 * np.sin(2 * np.pi * (hour - 8) / 24)
base = np.where(i // DAY % 7 >= 5, 0.4 * base, base)
x = np.floor(200 * base * np.exp(0.2 * (frac(i) - 0.5) + 0.1 * (frac(i * 7 + 3) - 0.5)))
for at, cells, factor in [(7000, 6, 3.0), (7600, 12, 0.3), (8200, 40, 1.25), (9000, 1, 2.5), (9600, 2, 1.8)]:
    x[at:at + cells] = np.floor(x[at:at + cells] * factor)
x = x.astype(np.float32).astype(float)
l = np.log(np.maximum(x, 0.5))


def season(t, basis):
    if basis == 0:
        return 0.0
    period, count = (DAY, 13) if basis == 1 else (WEEK, 3)
    l32 = l.astype(np.float32)
    mids = [np.median(l32[max(0, t - b * period - 6):min(t - b * period + 6, t - 1) + 1])
            for b in range(1, count + 1) if t - b * period >= 0]
    return float(np.median(mids))


level, up, down, last, scale, since, e_all, flags, zs, expected = None, 0., 0., 0., None, 0, [], [], [], []
a = 1 - np.exp(-1 / 36)
for t in range(N):
    basis = 0 if t < DAY else 1 if t < 14 * DAY else 2
    s_t = season(t, basis)
    if level is None:
        level = l[t] - s_t
    if t in (DAY, 14 * DAY):
        level += season(t, basis - 1) - s_t
    e = l[t] - s_t - level
    expected.append(float(np.exp(s_t + level)))
    s = max(scale if scale is not None else 1.0, 1 / np.sqrt(expected[-1]), 0.02)
    z = e / s if len(e_all) >= DAY else 0.0
    flag = 0
    if basis > 0:
        k = 1.5 if basis == 1 else 1.0
        up = min(max(0, up + np.clip(z, -6, 6) - 1), 24 * k)
        down = min(max(0, down - np.clip(z, -6, 6) - 1), 24 * k)
        if abs(z) > 6 * k or (abs(z) > 4 * k and abs(last) > 4 * k and z * last > 0):
            flag = 1 if z > 0 else -1
        elif up > 12 * k:
            flag = 1
        elif down > 12 * k:
            flag = -1
        last = z
    level += a * (0.1 if flag else 1) * (np.clip(e, -2 * s, 2 * s) if scale is not None else e)
    e_all = (e_all + [np.float32(e)])[-KEPT:]
    since += 1
    if since >= 12 or scale is None:
        since, v = 0, np.array(e_all, dtype=np.float32)
        scale = 1.4826 * float(np.median(np.abs(v - np.median(v))))
    flags.append(flag)
    zs.append(z)

n = (100 + 40 * frac(i)).astype(int)
k = np.floor(n * 0.04 * (0.5 + frac(i * 3 + 1))).astype(int)
for at, cells, add in [(3000, 12, 0.06), (4000, 12, 0.02), (5000, 30, 0.05)]:
    k[at:at + cells] += np.round(n[at:at + cells] * add).astype(int)
K = M = S = 0.0
wait, sums, p0s = [], [], []
for t in range(6000):
    p0 = (K + 1) / (M + 2)
    p0s.append(p0)
    alarm = False
    if M >= 500:
        p1 = min(2 * p0, 0.9)
        S = min(max(0, S + k[t] * np.log(p1 / p0) + (n[t] - k[t]) * np.log((1 - p1) / (1 - p0))), 14)
        alarm = S > 10
    decay = 0.5 ** (300 / (3 * 86400))
    K, M = K * decay, M * decay
    if alarm:
        wait = []
    else:
        wait.append((k[t], n[t]))
        if len(wait) > 12:
            hits, count = wait.pop(0)
            K, M = K + hits, M + count
    sums.append(float(S))

out = {
    "flags": [[t, f] for t, f in enumerate(flags) if f],
    "z": [[t, zs[t]] for t in range(300, N, 487)],
    "expected": [[t, expected[t]] for t in range(0, N, 487)],
    "rate_alarms": [t for t, s in enumerate(sums) if s > 10],
    "rate_sums": [[t, sums[t]] for t in range(2990, 5060, 7)],
    "rate_usual": [[t, p0s[t]] for t in range(0, 6000, 487)],
}
print(json.dumps(out))

def judge(frame):
    return []


def lead(frame):
    return []

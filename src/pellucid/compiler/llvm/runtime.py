"""The runtime: generated code by which threads share the tasks of a program.

A job is a number of steps, a step some phases, a phase some tasks. Every thread goes through all
phases. In each it looks through the tasks in an order of its own, claims those that nobody has and
runs them, and waits until all are done. So a phase ends when its tasks are done, not when threads
arrive: the calling thread alone can always finish, and a thread that comes late or is taken off its
core costs no more than its own work. The last task of a step, a phase of its own, is `advance`,
which moves pointers on to the next batch and exchanges old and new state.

A team is one block of memory that these functions and Python share, in words of 64 bits; what
threads write is far enough apart to lie in cache lines of its own. Workers call `serve`, which
comes back when there was nothing to do for a while, so that they can sleep in Python.
"""

from __future__ import annotations

from pellucid.compiler.llvm.target import binding

APART = 16  # words: two cache lines, since processors fetch them in pairs

# The words of a team. Those of a job are copied from `JOB` words that the caller fills in.
GENERATION, OPEN, ACTIVE, DONE, STOPPED, CLOSING, OFFER, FIELDS = (APART * i for i in range(8))
JOB = (
    "task",  # address of the function (table, number, worker) that runs a task
    "table",  # address of the program's pointers
    "orders",  # address of the numbers of tasks, for each thread in the order in which it looks
    "ends",  # address of the number of tasks up to each phase's end
    "claimed",  # address of a word for each task: how many times it has been claimed
    "count",  # tasks of a step, `advance` included
    "steps",
    "moves", "moved",  # address and number of (pointer, bytes): to add after each step
    "pairs", "paired",  # address and number of (pointer, pointer): to exchange after each step
    "status",  # which pointer leads to a byte that is 0 where the job must stop; -1 for none
    "crew",  # threads that may take part
)  # fmt: skip
MADE = FIELDS + len(JOB)  # how many steps have been made
WORDS = MADE + APART

PATIENCE = 400  # turns of waiting before the core is offered to another thread
ENOUGH = 20_000  # turns to wait for a late worker to leave before going without the team


def module_text() -> str:
    """Return the module in LLVM's language, for the processor of this machine."""
    arm = binding().get_default_triple().startswith(("aarch64", "arm64"))
    pause = "@llvm.aarch64.hint(i32 1)" if arm else "@llvm.x86.sse2.pause()"
    declared = "@llvm.aarch64.hint(i32)" if arm else "@llvm.x86.sse2.pause()"
    return "\n".join([f"declare void {declared}", relax(pause), ADVANCE, WORK, SERVE, LAUNCH])


def slot(word: int, name: str) -> str:
    """Return the line that computes the address of a team's word."""
    return f"  %{name} = getelementptr i64, ptr %team, i64 {word}"


def fields(*names: str) -> str:
    """Return the lines that load words of the job."""
    lines = []
    for name in names:
        lines.append(slot(FIELDS + JOB.index(name), f"at_{name}"))
        lines.append(f"  %{name} = load i64, ptr %at_{name}, align 8")
    return "\n".join(lines)


def relax(pause: str) -> str:
    """Return the function that waits a little, and now and then offers the core to others."""
    return f"""
define internal void @relax(ptr %team, i64 %turn) nounwind {{
  call void {pause}
  %rest = urem i64 %turn, {PATIENCE}
  %due = icmp eq i64 %rest, {PATIENCE - 1}
  br i1 %due, label %offer, label %leave
offer:
{slot(OFFER, "at_offer")}
  %address = load i64, ptr %at_offer, align 8
  %function = inttoptr i64 %address to ptr
  %ignored = call i32 %function()
  br label %leave
leave:
  ret void
}}"""


ADVANCE = f"""
define internal void @advance(ptr %team) nounwind {{
entry:
{fields("table", "moves", "moved", "pairs", "paired", "status")}
  %pointers = inttoptr i64 %table to ptr
  %checks = icmp sge i64 %status, 0
  br i1 %checks, label %check, label %good
check:
  %at_flag = getelementptr ptr, ptr %pointers, i64 %status
  %flag = load ptr, ptr %at_flag, align 8
  %byte = load i8, ptr %flag, align 1
  %bad = icmp eq i8 %byte, 0
  br i1 %bad, label %stop, label %good
stop:
{slot(STOPPED, "stopped")}
  store atomic i64 1, ptr %stopped release, align 8
  ret void
good:
{slot(MADE, "at_made")}
  %made = load i64, ptr %at_made, align 8
  %more = add i64 %made, 1
  store i64 %more, ptr %at_made, align 8
  %list = inttoptr i64 %moves to ptr
  br label %move
move:
  %i = phi i64 [0, %good], [%i1, %moving]
  %moves_left = icmp ult i64 %i, %moved
  br i1 %moves_left, label %moving, label %exchange
moving:
  %i2 = mul i64 %i, 2
  %m0 = getelementptr i64, ptr %list, i64 %i2
  %m1 = getelementptr i64, ptr %m0, i64 1
  %which = load i64, ptr %m0, align 8
  %bytes = load i64, ptr %m1, align 8
  %at = getelementptr ptr, ptr %pointers, i64 %which
  %old = load ptr, ptr %at, align 8
  %new = getelementptr i8, ptr %old, i64 %bytes
  store ptr %new, ptr %at, align 8
  %i1 = add i64 %i, 1
  br label %move
exchange:
  %couples = inttoptr i64 %pairs to ptr
  br label %swap
swap:
  %j = phi i64 [0, %exchange], [%j1, %swapping]
  %pairs_left = icmp ult i64 %j, %paired
  br i1 %pairs_left, label %swapping, label %leave
swapping:
  %j2 = mul i64 %j, 2
  %s0 = getelementptr i64, ptr %couples, i64 %j2
  %s1 = getelementptr i64, ptr %s0, i64 1
  %one = load i64, ptr %s0, align 8
  %two = load i64, ptr %s1, align 8
  %at_one = getelementptr ptr, ptr %pointers, i64 %one
  %at_two = getelementptr ptr, ptr %pointers, i64 %two
  %first = load ptr, ptr %at_one, align 8
  %second = load ptr, ptr %at_two, align 8
  store ptr %second, ptr %at_one, align 8
  store ptr %first, ptr %at_two, align 8
  %j1 = add i64 %j, 1
  br label %swap
leave:
  ret void
}}"""

WORK = f"""
define internal void @work(ptr %team, i64 %worker) nounwind noinline {{
entry:
{fields("task", "table", "orders", "ends", "claimed", "count", "steps")}
{slot(DONE, "done")}
{slot(STOPPED, "stopped")}
  %run = inttoptr i64 %task to ptr
  %pointers = inttoptr i64 %table to ptr
  %all_orders = inttoptr i64 %orders to ptr
  %all_ends = inttoptr i64 %ends to ptr
  %claims = inttoptr i64 %claimed to ptr
  %skipped = mul i64 %worker, %count
  %order = getelementptr i64, ptr %all_orders, i64 %skipped
  %last = sub i64 %count, 1
  %done_before = load atomic i64, ptr %done acquire, align 8
  %first = udiv i64 %done_before, %count
  %stop_before = load atomic i64, ptr %stopped acquire, align 8
  %late = icmp ne i64 %stop_before, 0
  br i1 %late, label %leave, label %step
step:
  %now = phi i64 [%first, %entry], [%following, %stepped]
  %over = icmp uge i64 %now, %steps
  br i1 %over, label %leave, label %begin
begin:
  %following = add i64 %now, 1
  %base = mul i64 %now, %count
  br label %phase
phase:
  %p = phi i64 [0, %begin], [%p1, %phased]
  %start = phi i64 [0, %begin], [%end, %phased]
  %at_end = getelementptr i64, ptr %all_ends, i64 %p
  %end = load i64, ptr %at_end, align 8
  %p1 = add i64 %p, 1
  br label %look
look:
  %i = phi i64 [%start, %phase], [%i1, %next]
  %through = icmp uge i64 %i, %end
  br i1 %through, label %finish, label %try
try:
  %at_index = getelementptr i64, ptr %order, i64 %i
  %index = load i64, ptr %at_index, align 8
  %claim = getelementptr i64, ptr %claims, i64 %index
  %times = load atomic i64, ptr %claim monotonic, align 8
  %free = icmp eq i64 %times, %now
  br i1 %free, label %take, label %next
take:
  %result = cmpxchg ptr %claim, i64 %now, i64 %following acq_rel monotonic
  %mine = extractvalue {{ i64, i1 }} %result, 1
  br i1 %mine, label %have, label %next
have:
  %ends_step = icmp eq i64 %index, %last
  br i1 %ends_step, label %move_on, label %one
one:
  call void %run(ptr %pointers, i64 %index, i64 %worker)
  br label %count_it
move_on:
  call void @advance(ptr %team)
  br label %count_it
count_it:
  %counted = atomicrmw add ptr %done, i64 1 acq_rel
  br label %next
next:
  %i1 = add i64 %i, 1
  br label %look
finish:
  %needed = add i64 %base, %end
  br label %wait
wait:
  %turn = phi i64 [0, %finish], [%turn1, %waiting]
  %finished = load atomic i64, ptr %done acquire, align 8
  %ready = icmp uge i64 %finished, %needed
  br i1 %ready, label %check, label %waiting
waiting:
  call void @relax(ptr %team, i64 %turn)
  %turn1 = add i64 %turn, 1
  br label %wait
check:
  %stop = load atomic i64, ptr %stopped acquire, align 8
  %halt = icmp ne i64 %stop, 0
  br i1 %halt, label %leave, label %phased
phased:
  %stepping = icmp uge i64 %end, %count
  br i1 %stepping, label %stepped, label %phase
stepped:
  br label %step
leave:
  ret void
}}"""

SERVE = f"""
define i64 @serve(ptr %team, i64 %worker, i64 %seen, i64 %turns) nounwind {{
entry:
{slot(GENERATION, "generation")}
{slot(OPEN, "open")}
{slot(ACTIVE, "active")}
{slot(CLOSING, "closing")}
  br label %fresh
fresh:
  %known = phi i64 [%seen, %entry], [%now, %done]
  br label %look
look:
  %turn = phi i64 [0, %fresh], [%turn1, %idle]
  %now = load atomic i64, ptr %generation seq_cst, align 8
  %same = icmp eq i64 %now, %known
  br i1 %same, label %nothing, label %come
nothing:
  %enough = icmp uge i64 %turn, %turns
  br i1 %enough, label %leave, label %idle
idle:
  call void @relax(ptr %team, i64 %turn)
  %turn1 = add i64 %turn, 1
  br label %look
come:
  %close = load atomic i64, ptr %closing seq_cst, align 8
  %closed = icmp ne i64 %close, 0
  br i1 %closed, label %leave, label %enter
enter:
  %in = atomicrmw add ptr %active, i64 1 seq_cst
  %state = load atomic i64, ptr %open seq_cst, align 8
  %welcome = icmp ne i64 %state, 0
  br i1 %welcome, label %count, label %done
count:
{fields("crew")}
  %mine = icmp ult i64 %worker, %crew
  br i1 %mine, label %join, label %done
join:
  call void @work(ptr %team, i64 %worker)
  br label %done
done:
  %out = atomicrmw sub ptr %active, i64 1 seq_cst
  br label %fresh
leave:
  ret i64 %known
}}"""

LAUNCH = f"""
define i64 @launch(ptr %team, ptr %job) nounwind {{
entry:
{slot(GENERATION, "generation")}
{slot(OPEN, "open")}
{slot(ACTIVE, "active")}
{slot(DONE, "done")}
{slot(STOPPED, "stopped")}
{slot(MADE, "at_made")}
{slot(FIELDS, "at_fields")}
  br label %look
look:
  %turn = phi i64 [0, %entry], [%turn1, %wait]
  %inside = load atomic i64, ptr %active seq_cst, align 8
  %none = icmp eq i64 %inside, 0
  br i1 %none, label %copy, label %wait
wait:
  call void @relax(ptr %team, i64 %turn)
  %turn1 = add i64 %turn, 1
  %enough = icmp uge i64 %turn1, {ENOUGH}
  br i1 %enough, label %refuse, label %look
refuse:
  ret i64 -1
copy:
  %i = phi i64 [0, %look], [%i1, %copy]
  %from = getelementptr i64, ptr %job, i64 %i
  %to = getelementptr i64, ptr %at_fields, i64 %i
  %word = load i64, ptr %from, align 8
  store i64 %word, ptr %to, align 8
  %i1 = add i64 %i, 1
  %more = icmp ult i64 %i1, {len(JOB)}
  br i1 %more, label %copy, label %copied
copied:
{fields("claimed", "count")}
  %claims = inttoptr i64 %claimed to ptr
  br label %clear
clear:
  %j = phi i64 [0, %copied], [%j1, %clear]
  %claim = getelementptr i64, ptr %claims, i64 %j
  store i64 0, ptr %claim, align 8
  %j1 = add i64 %j, 1
  %left = icmp ult i64 %j1, %count
  br i1 %left, label %clear, label %begin
begin:
  store i64 0, ptr %at_made, align 8
  store atomic i64 0, ptr %done seq_cst, align 8
  store atomic i64 0, ptr %stopped seq_cst, align 8
  store atomic i64 1, ptr %open seq_cst, align 8
  %told = atomicrmw add ptr %generation, i64 1 seq_cst
  call void @work(ptr %team, i64 0)
  store atomic i64 0, ptr %open seq_cst, align 8
  %made = load i64, ptr %at_made, align 8
  ret i64 %made
}}"""

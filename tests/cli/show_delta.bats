#!/usr/bin/env bats
# ckpt show: delta channels whose value other readers, or the run that wrote it, had otherwise.

# shellcheck disable=SC2034,SC2154  # db is read by show
load helper
load stores

setup() {
	alone || return
}

@test "delta channels: parallel writes that older readers replay in another order" {
	db=$BATS_TEST_TMPDIR/order.db
	cp "$(store py-delta)" "$db"
	show parallel --channel events --json
	same exit "$status" 0
	data 'sum("in the order of today" in w for w in d["data"]["warnings"])' 1
	show parallel --path /values/events
	has "$stderr" "before checkpoint-sqlite 3.1.2"
	show parallel --channel files --path /values/files
	lacks "$stderr" "in the order of today"
	# without paths there is one order
	sqlite3 "$db" "UPDATE writes SET task_path = ''"
	show parallel --channel events --json
	data 'sum("in the order of today" in w for w in d["data"]["warnings"])' 0
}

@test "delta channels: writes of another branch, where no snapshot seals a fork" {
	db=$BATS_TEST_TMPDIR/mixed.db
	cp "$(store py-delta)" "$db"
	show never-snapshot --channel events --json
	data 'sum("branches part at" in w for w in d["data"]["warnings"])' 0
	# the second branch begins beside the first, as forks did before they were sealed
	sqlite3 "$db" "UPDATE checkpoints SET parent_checkpoint_id = (SELECT parent_checkpoint_id
		FROM checkpoints c WHERE c.thread_id = 'never-snapshot' AND c.checkpoint_id =
		checkpoints.parent_checkpoint_id) WHERE thread_id = 'never-snapshot' AND
		checkpoint_id = (SELECT max(checkpoint_id) FROM checkpoints
		WHERE thread_id = 'never-snapshot')"
	show never-snapshot --channel events --json
	same exit "$status" 0
	data 'sum("branches part at" in w for w in d["data"]["warnings"])' 1
	show never-snapshot --path /values/events
	has "$stderr" "has writes of another branch in it"
}

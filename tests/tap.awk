# Judge one program's TAP: prints "PASSED FAILED SKIPPED", then why a failure was counted that no
# line shows. Variable rc is the program's exit code.

/^ok / || /^ok$/ {
	ran++
	if (tolower($0) ~ /# *skip/) skipped++
	else passed++
}
/^not ok/ { ran++; failed++ }
/^1\.\.[0-9]+/ {
	planned = substr($1, 4) + 0
	has_plan = 1
	if (planned == 0 && tolower($0) ~ /# *skip/) skipped++
}
/^Bail out!/ { bailed = 1 }

END {
	if (bailed) problem = "bailed out"
	else if (rc == 124 || rc == 137) problem = "ran out of time"
	else if (rc > 128) problem = "killed by signal " (rc - 128)
	else if (!has_plan) problem = "printed no plan (exit " rc ")"
	else if (ran != planned) problem = "planned " planned " tests, ran " ran + 0 " (exit " rc ")"
	else if (rc != 0 && !failed) problem = "exit " rc " without a failed test"
	if (problem != "") failed++
	print passed + 0, failed + 0, skipped + 0, problem
}

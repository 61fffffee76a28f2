package psql

import "testing"

func TestTimeoutOfANewerServerIsLeftOutOfTheHeadAlone(t *testing.T) {
	const body = "SET client_encoding = 'UTF8';\nCREATE FUNCTION f() AS $$\nSET transaction_timeout = 0;\n" +
		"SET client_encoding = 'UTF8';\n$$;\n"
	const old = "--\nSET statement_timeout = 0;\nSET lock_timeout = 0;\nSET idle_in_transaction_session_timeout = 0;\n"
	for script, want := range map[string]string{
		old + "SET transaction_timeout = 0;\nSET coming_timeout = 0;\n" + body: old + body,
		old + body:                        old + body,
		"SET transaction_timeout = 0;\n":  "SET transaction_timeout = 0;\n",
		"SET transaction_timeout = 0;\n;": "SET transaction_timeout = 0;\n;",
	} {
		if got := DropNewTimeouts(script); got != want {
			t.Errorf("%q\nwant %q", got, want)
		}
	}
}

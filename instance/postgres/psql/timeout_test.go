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

// The pg_dump of a later version may print settings that this program does not know.
func TestUnknownSettingEndsNoBackup(t *testing.T) {
	const text = "SET coming_setting = off;\nCREATE TABLE a ();\n"
	if err := CheckDump(PreData, text); err != nil {
		t.Error(err)
	}
	if err := CheckText(PreData, text); err == nil {
		t.Error("a restore takes an unknown setting")
	}
	if err := CheckDump(PreData, text+"CREATE SERVER s FOREIGN DATA WRAPPER w;"); err == nil {
		t.Error("a backup takes a foreign server")
	}
}

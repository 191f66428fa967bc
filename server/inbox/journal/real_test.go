package journal_test

const childDir = "ROOST_JOURNAL_TEST_DIR"

func child(string) {}

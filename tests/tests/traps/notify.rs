pub(crate) const CASES: &[dbos_testkit::Case] = &[];

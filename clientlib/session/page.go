package session

// Page is what one request of a scan found: the records of a leading part of its interval.
type Page struct{}

package clientlib

import "github.com/antihax/optional"

// PutOpts are the optional fields of Put. A nil *PutOpts sets none.
type PutOpts struct {
	// ExpectedVersion makes the Put conditional: the record must have this version, or not exist
	// if it is 0. Otherwise the error is ErrVersionMismatch.
	ExpectedVersion optional.Uint64
}

// DeleteOpts are the optional fields of Delete. A nil *DeleteOpts sets none.
type DeleteOpts struct {
	// ExpectedVersion makes the Delete conditional: the record must have this version, which
	// must not be 0. Otherwise the error is ErrVersionMismatch.
	ExpectedVersion optional.Uint64
}

// ScanOpts are the optional fields of Scan. A nil *ScanOpts sets none.
type ScanOpts struct {
	// Limit bounds the number of records. It must not be negative; 0 means no limit.
	Limit optional.Int32
	// Budget is into how many further sub-ranges a switch may split one request, 0 to 255. It
	// is Config.ScanBudget if it is not set.
	Budget optional.Int32
}

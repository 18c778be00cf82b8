package bmv2

// Load decodes p4c's bmv2 JSON.
func Load(data []byte) (*Program, error) { panic("not written yet") }

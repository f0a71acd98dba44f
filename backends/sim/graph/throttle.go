package graph

func (s *Server) admit(r *Request) (func(), bool) { return nil, true }

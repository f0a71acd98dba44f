package entra

func (s *Service) routes() {}

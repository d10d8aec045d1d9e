__all__ = ['ttypes', 'constants', 'Wind']

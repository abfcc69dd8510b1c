from .headlines import headlines as headlines
from .writing import write_report as write_report

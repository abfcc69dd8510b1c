from .headlines import headlines as headlines
from .writing import write_report as write_report
from .space_page import space_page as space_page

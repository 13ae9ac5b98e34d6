"""The same random tubes run by noob itself and by penstock.compat.noob; see compare.py."""

DROP VIEW tidegate.answers;

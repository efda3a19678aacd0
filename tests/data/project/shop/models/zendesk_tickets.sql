SELECT customer_id AS "user_id", count(*) AS "open_tickets"
FROM zendesk.tickets
GROUP BY customer_id
